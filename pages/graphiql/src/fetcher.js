// Sends operations to the gateway with the bearer token of the top bar; live ones as server-sent events.
import { createClient, NetworkError } from 'graphql-sse'

const TIMEOUT_MS = 60_000
const INTROSPECTION = 'IntrospectionQuery'

/** The fetcher that GraphiQL calls. A header of the headers panel wins over the token of the top bar. */
export function createFetcher({ endpoint, token }) {
  return async (operation, { headers: extra, documentAST } = {}) => {
    const headers = requestHeaders(token, extra)
    if (!headers.has('Authorization')) return failure('Enter an access token above, then press “Use token”.')
    if (isSubscription(documentAST, operation.operationName)) return live(endpoint, operation, headers)
    const response = await fetch(endpoint, {
      method: 'POST',
      headers,
      body: JSON.stringify(operation),
      cache: 'no-store',
      credentials: 'omit',
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    const body = await readBody(response)
    // GraphiQL repeats an introspection that brings no data; throwing keeps a refused token to one request.
    if (!response.ok && operation.operationName === INTROSPECTION) throw new Error(refusal(response, body))
    return body
  }
}

/** The answers of a live operation, until it is stopped; server-sent events, since a WebSocket bears no headers. */
function live(endpoint, operation, headers) {
  headers.delete('Accept') // the package asks for text/event-stream
  const options = { headers: Object.fromEntries(headers), credentials: 'omit', retryAttempts: 0 }
  const answers = createClient({ url: endpoint, ...options }).iterate(operation)
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => answers.next().catch(async (error) => ({ done: false, value: await ending(error) })),
      return: () => answers.return(),
    }),
  }
}

async function ending(error) {
  if (error instanceof NetworkError && error.response) return readBody(error.response)
  return failure(`The live operation has ended: ${error.message}`)
}

function requestHeaders(token, extra) {
  const headers = new Headers({
    'Content-Type': 'application/json',
    Accept: 'application/graphql-response+json, application/json;q=0.9',
  })
  if (token) headers.set('Authorization', `Bearer ${token}`)
  for (const [name, value] of Object.entries(extra ?? {})) headers.set(name, value)
  return headers
}

async function readBody(response) {
  const text = await response.text()
  try {
    return JSON.parse(text)
  } catch {
    return failure(`HTTP ${response.status}, and the body is not JSON: ${text.slice(0, 500)}`)
  }
}

function refusal(response, body) {
  const detail = body?.errors?.[0]?.message
  return `HTTP ${response.status}${detail ? `: ${detail}` : ''}`
}

function failure(message) {
  return { errors: [{ message }] }
}

function isSubscription(document, operationName) {
  return (document?.definitions ?? []).some(
    ({ operation, name }) => operation === 'subscription' && (!operationName || name?.value === operationName),
  )
}
