// Prepares the browser for Monaco under a strict Content-Security-Policy; must be imported before Monaco.

// Monaco and the dialogs add <style> elements of their own and know no nonce. Giving it to them here lets the policy
// refuse every other inline style element.
const nonce = document.querySelector('script[nonce]').nonce
const createElement = document.createElement.bind(document)
document.createElement = (name, options) => {
  const element = createElement(name, options)
  if (String(name).toLowerCase() === 'style') element.nonce = nonce
  return element
}

globalThis.MonacoEnvironment = {
  getWorker(_id, label) {
    const file = WORKER_FILES[label] ?? WORKER_FILES.editor
    return new Worker(new URL(file, import.meta.url), { name: label })
  },
}
