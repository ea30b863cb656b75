// Inside the sandbox's own frame: holds the card's fields, and speaks to the sandbox for the page around it.
(() => {
  "use strict";
  const fields = [...document.querySelectorAll("input")];
  let around = "*"; // until the page has spoken; nothing but `ready` and states of fields is told to it before
  const tell = (data) => window.parent.postMessage(data, around);

  const state = () => ({
    complete: fields.every((field) => field.value.trim() !== ""),
    empty: fields.every((field) => field.value === ""),
    brand: "unknown",
    error: undefined,
  });
  for (const field of fields) field.addEventListener("input", () => tell({ event: "change", detail: state() }));

  const card = () => Object.fromEntries(fields.map((field) => [field.id, field.value]));

  window.addEventListener("message", async (event) => {
    if (event.source !== window.parent || typeof event.data?.action !== "string") return;
    around = event.origin;
    const { id, action, params } = event.data;
    if (action === "focus") fields[0]?.focus();
    if (action === "clear") for (const field of fields) field.value = "";
    if (action === "focus" || action === "clear") return tell({ id, result: {} });
    const typed = fields.length && !params.payment_method ? { card: card() } : {};
    const answer = await fetch("/js/call", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ action, ...params, ...typed }),
    });
    tell({ id, result: await answer.json() });
  });
  tell({ event: "ready" });
})();
