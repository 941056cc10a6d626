"""From specifications to test plans: requirements with quotes, coverage items by technique, cases, questions and gaps."""
