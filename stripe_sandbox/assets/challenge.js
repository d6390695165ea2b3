/* The bank's page of 3D Secure: completes or fails, then tells the page around it or goes back to the shop. */
"use strict";

const query = new URLSearchParams(location.search);
const PARENT = query.get("parent");
const intent = location.pathname.split("/").pop();
const secret = query.get("client_secret");
const buttons = document.querySelectorAll("button");

let answering = true;

async function answer(outcome) {
  if (answering) return;
  answering = true;
  buttons.forEach((button) => { button.disabled = true; });
  let result;
  try {
    const response = await fetch(`/_sandbox/3ds/${intent}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ client_secret: secret, outcome }),
    });
    result = await response.json();
    if (!response.ok && !PARENT) throw new Error(result.error);
  } catch (error) {
    document.getElementById("problem").textContent = `That did not work: ${error.message}. Try again.`;
    listen();
    return;
  }
  if (PARENT) {
    window.parent.postMessage({ type: "done" }, PARENT);
    return;
  }
  const kind = intent.startsWith("pi_") ? "payment_intent" : "setup_intent";
  const to = new URL(result.return_url);
  to.searchParams.set(kind, intent);
  to.searchParams.set(`${kind}_client_secret`, secret);
  to.searchParams.set("redirect_status", { succeeded: "succeeded", processing: "pending" }[result.status] || "failed");
  location.assign(to.href);
}

/* The buttons work only once this script does, so no early press is lost. */
function listen() {
  answering = false;
  buttons.forEach((button) => { button.disabled = false; });
}

document.getElementById("complete").addEventListener("click", () => answer("complete"));
document.getElementById("fail").addEventListener("click", () => answer("fail"));
window.addEventListener("message", (event) => {
  if (event.source === window.parent && event.origin === PARENT && event.data?.type === "give-up") answer("fail");
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && PARENT) answer("fail");
});
listen();
if (PARENT) window.parent.postMessage({ type: "loaded" }, PARENT);
