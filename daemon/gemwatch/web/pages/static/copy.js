// Buttons that copy an id or a file name. Without a script, or where the browser refuses, they are not there.

export function offerCopies(root) {
  if (!navigator.clipboard) return; // only on https and on this machine itself
  document.addEventListener("click", copy);
  reveal(root);
}

/** Show the buttons of a page that has arrived. */
export function reveal(root) {
  if (!navigator.clipboard) return;
  for (const button of root.querySelectorAll("button[data-copy]")) button.hidden = false;
}

async function copy(event) {
  const button = event.target.closest?.("button[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = "Copy"), 2000);
}
