"use strict";
// j and k walk through the list; a letter moves to the button of that answer, which Enter presses. Nothing is sent by a letter alone.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
  const rows = [...document.querySelectorAll("#queue a.row")];
  if (rows.length && (event.key === "j" || event.key === "k")) {
    const at = rows.indexOf(document.activeElement);
    const next = event.key === "j" ? Math.min(at + 1, rows.length - 1) : Math.max(at - 1, 0);
    rows[next].focus();
    event.preventDefault();
    return;
  }
  const button = document.querySelector(`#decide button[data-key="${CSS.escape(event.key)}"]`);
  if (button) {
    button.focus();
    event.preventDefault();
  }
});
