// Buttons that copy a text: <button data-copy="CIC-2021-0001" hidden>. Without JavaScript they stay hidden.
"use strict";
for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  const said = document.createElement("span");
  said.className = "hidden-text";
  said.setAttribute("aria-live", "polite");
  button.after(said);
  const words = button.textContent;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = said.textContent = "Copied";
    setTimeout(() => {
      button.textContent = words;
      said.textContent = "";
    }, 2000);
  });
}
