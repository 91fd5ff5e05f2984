// Lets a registry's credential go where the page says it leads: under the
// condition that it still leads there.
"use strict";
document.addEventListener("click", async (e) => {
  const button = e.target.closest("button[data-confirm]");
  if (!button) return;
  const failed = (why) => { button.disabled = false; button.textContent = why; };
  button.disabled = true;
  try {
    const answer = await fetch("/api/v1/registries/" + encodeURIComponent(button.dataset.confirm) + "/confirm", {
      method: "POST", headers: { "If-Match": button.dataset.revision },
    });
    if (answer.ok || answer.status === 401) { location.reload(); return; }
    const problem = await answer.json();
    failed(problem.detail + ": load the page again");
  } catch (_) {
    failed("No answer: try again");
  }
});
