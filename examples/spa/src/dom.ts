// The little that this page needs to write into its document; a framework takes this file's place.

export const find = <Kind extends HTMLElement = HTMLElement>(id: string): Kind => document.getElementById(id) as Kind;

export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  properties: Partial<HTMLElementTagNameMap[Tag]>,
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** Writes into a part of the page that screen readers read out; empty text hides it. */
export function tell(id: "problem" | "notice", text: string): void {
  find(id).textContent = text;
  find(id).hidden = !text;
}

/** Replaces a list's rows, or says that there are none. */
export function fill(id: string, rows: HTMLElement[], empty: string): void {
  find(id).replaceChildren(...(rows.length ? rows : [element("li", { className: "quiet" }, empty)]));
}

/** Runs something that draws anew, and puts the focus back where the keyboard was. */
export function keepingFocus(draw: () => void): void {
  const focused = document.activeElement?.id;
  draw();
  if (focused) (document.getElementById(focused) ?? find("title")).focus();
}

/** Asks in a dialog whose body, and whether one may consent yet, is up to `ready`. */
export async function confirmed(
  title: string,
  consent: string,
  ready: (body: HTMLElement, yes: HTMLButtonElement) => void,
): Promise<boolean> {
  const [dialog, yes] = [find<HTMLDialogElement>("dialog"), find<HTMLButtonElement>("dialog-yes")];
  find("dialog-title").textContent = title;
  find("dialog-body").replaceChildren();
  yes.textContent = consent;
  yes.disabled = false;
  dialog.returnValue = "";
  ready(find("dialog-body"), yes);
  dialog.showModal();
  await new Promise((closed) => dialog.addEventListener("close", closed, { once: true }));
  return dialog.returnValue === "yes";
}
