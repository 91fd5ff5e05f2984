// Copies what stands in the element that a button names.
"use strict";
document.addEventListener("click", async (e) => {
  const button = e.target.closest("button[data-copy]");
  if (!button) return;
  const from = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(from.textContent);
    button.textContent = "Copied";
  } catch (_) { // not over plain HTTP from elsewhere: the user presses Ctrl+C
    getSelection().selectAllChildren(from);
    button.textContent = "Selected";
  }
});
