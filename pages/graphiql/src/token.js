// Keeps the bearer token in this tab's session storage, and nowhere else.

const KEY = 'billing-gateway:token'

export const loadToken = () => sessionStorage.getItem(KEY) ?? ''

export function saveToken(token) {
  if (token) sessionStorage.setItem(KEY, token)
  else sessionStorage.removeItem(KEY)
}
