"""Past incidents that many tests remember: a family of alike reports each."""

REFUNDS = [
    {
        "id": f"PAY-{number}",
        "summary": f"Refund shows E_REFUND_409 for invoice type {number}",
        "description": "Pressing Refund on an invoice fails with E_REFUND_409.",
        "created": f"2026-0{number}-01T00:00:00Z",
        "component": "Payments",
        "severity": "High",
        "type": "Bug",
        "priority": "P2",
    }
    for number in range(1, 6)
]

CHIMES = [
    {
        "id": f"WB-{number}",
        "summary": f"Chime rings twice at stop {number}",
        "description": "The bell chimes two times where one chime is expected.",
        "created": f"2026-0{number}-01T00:00:00Z",
        "component": "Bell",
        "severity": "Minor",
    }
    for number in range(1, 6)
]
