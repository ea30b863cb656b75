// Tells assistive technology what GraphiQL's tabs are: a list of buttons, of which one is current.

// GraphiQL calls each <li> a tab and puts two buttons into it, but what is within a tab is hidden from screen readers;
// and the arrow keys, which move between tabs, do nothing here. A list of buttons is what really works.
export function describeTabs(container) {
  const describe = () => {
    const list = container.querySelector('.graphiql-tabs')
    if (!list) return
    set(list, 'role', 'list')
    for (const item of list.children) describeTab(item)
    const session = container.querySelector('#graphiql-session')
    if (session) set(session, 'role', 'group')
  }
  const observer = new MutationObserver(describe)
  observer.observe(container.querySelector('.graphiql-session-header') ?? container, {
    subtree: true,
    childList: true,
    attributes: true,
    attributeFilter: ['aria-selected', 'class', 'role'],
  })
  describe()
  return () => observer.disconnect()
}

function describeTab(item) {
  set(item, 'role', 'listitem')
  item.removeAttribute('aria-selected')
  const active = item.classList.contains('graphiql-tab-active')
  set(item.querySelector('.graphiql-tab-button'), 'aria-current', String(active))
  const close = item.querySelector('.graphiql-tab-close')
  if (close) set(close, 'aria-label', `Close tab ${item.textContent.trim()}`)
}

/** Writes only what differs: each change calls the observer again. */
function set(element, name, value) {
  if (element && element.getAttribute(name) !== value) element.setAttribute(name, value)
}
