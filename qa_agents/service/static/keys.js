"use strict";
// j and k walk through a list, "/" goes to the search; a letter chooses an answer and goes to what it needs. A letter alone sends nothing.
(() => {
  const typing = (element) => /^(TEXTAREA|SELECT)$/.test(element.tagName)
    || (element.tagName === "INPUT" && !/^(radio|checkbox)$/.test(element.type));

  const walk = (step) => {
    const rows = [...document.querySelectorAll("#queue a.row")];
    if (!rows.length) return false;
    const at = rows.indexOf(document.activeElement);
    rows[Math.min(Math.max(at + step, 0), rows.length - 1)].focus();
    return true;
  };

  // The first field that the chosen answer needs, else its button.
  const goTo = (choice) => {
    const fields = [...document.querySelectorAll(`#decide .detail.for-${CSS.escape(choice.value)}`)]
      .flatMap((part) => [...part.querySelectorAll("input:not([type=hidden]), select, textarea, button")])
      .filter((field) => field.name !== "note" && field.offsetParent !== null);
    const target = fields.find((field) => field.tagName !== "BUTTON") || fields.find((field) => field.tagName === "BUTTON");
    if (target) target.focus();
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && typing(event.target)) {
      event.target.blur();
      return;
    }
    if (typing(event.target)) return;
    if (event.key === "j" || event.key === "k") {
      if (walk(event.key === "j" ? 1 : -1)) event.preventDefault();
      return;
    }
    const found = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
    if (!found) return;
    event.preventDefault();
    if (found.type === "radio") {
      found.checked = true;
      goTo(found);
    } else {
      found.focus();
    }
  });

  // A second click on the same button sends nothing; coming back by the browser's button makes the form usable again.
  document.addEventListener("submit", (event) => {
    if (event.target.method !== "post") return;
    if (event.target.dataset.sent) {
      event.preventDefault();
      return;
    }
    event.target.dataset.sent = "yes";
    event.target.setAttribute("aria-busy", "true");
  });
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    if (document.getElementById("queue")) location.reload();  // what was decided meanwhile does not wait any more
    for (const form of document.forms) {
      delete form.dataset.sent;
      form.removeAttribute("aria-busy");
    }
  });

  // Whoever comes back to a list that was left open sees what waits now.
  const loaded = Date.now();
  document.addEventListener("visibilitychange", () => {
    const stale = document.visibilityState === "visible" && Date.now() - loaded > 60_000;
    if (stale && document.querySelector("#queue, .empty") && !typing(document.activeElement)) location.reload();
  });

  // A link to a case opens it.
  const open = () => {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target && target.tagName === "DETAILS") {
      target.open = true;
      target.scrollIntoView({ block: "center" });
    }
  };
  window.addEventListener("hashchange", open);
  open();
})();
