// The bar above GraphiQL: the token, what became of the schema, and the example queries.
import { DropdownMenu, pick, useGraphiQL, useGraphiQLActions } from '@graphiql/react'
import { Kind, parse, validate } from 'graphql'
import { useMemo, useState } from 'react'

export function TopBar({ token, onToken, examples }) {
  return (
    <header className="topbar">
      <h1 className="topbar-title">
        Billing Gateway <span>GraphiQL</span>
      </h1>
      <TokenForm token={token} onToken={onToken} />
      <SchemaStatus token={token} />
      <Examples examples={examples} />
    </header>
  )
}

function TokenForm({ token, onToken }) {
  const [draft, setDraft] = useState(token)
  const submit = (event) => {
    event.preventDefault()
    onToken(draft.trim())
  }
  const forget = () => {
    setDraft('')
    onToken('')
  }
  return (
    <form className="topbar-form" onSubmit={submit}>
      <label htmlFor="token">Access token</label>
      <input
        id="token"
        type="password"
        autoComplete="off"
        spellCheck={false}
        placeholder="API key or session token"
        title="Kept in this browser tab only, until it is closed"
        value={draft}
        onChange={(event) => setDraft(event.target.value)}
      />
      <button type="submit" className="topbar-primary">
        Use token
      </button>
      {token && (
        <button type="button" onClick={forget}>
          Forget
        </button>
      )}
    </form>
  )
}

function SchemaStatus({ token }) {
  const { schema, isIntrospecting, fetchError } = useGraphiQL(pick('schema', 'isIntrospecting', 'fetchError'))
  const [state, text] = describe(token, schema, isIntrospecting, fetchError)
  return (
    <p className="topbar-status" data-state={state} role="status" title={text}>
      {text}
    </p>
  )
}

function describe(token, schema, isIntrospecting, fetchError) {
  if (!token) return ['idle', 'No token yet: the schema is loaded once you give one']
  if (isIntrospecting) return ['busy', 'Loading the schema…']
  if (fetchError) return ['error', `Schema not loaded. ${errorMessage(fetchError)}`]
  return schema ? ['ready', 'Schema loaded'] : ['busy', 'Loading the schema…']
}

/** GraphiQL hands errors over as formatted JSON; the bar has room for the message alone. */
function errorMessage(formatted) {
  try {
    const { errors } = JSON.parse(formatted)
    return errors[0].message
  } catch {
    return formatted
  }
}

/** The examples that the token's own schema allows; what is hidden from the token is not offered to it. */
function Examples({ examples }) {
  const { addTab, setOperationFacts } = useGraphiQLActions()
  const { schema, queryEditor, variableEditor } = useGraphiQL(pick('schema', 'queryEditor', 'variableEditor'))
  const valid = useMemo(
    () => (schema ? examples.filter(({ query }) => validate(schema, parse(query)).length === 0) : []),
    [schema, examples],
  )
  const open = ({ query, variables }) => {
    addTab()
    queryEditor.setValue(query)
    variableEditor.setValue(variables.replaceAll('{unique}', unique))
    // GraphiQL looks at the new text a moment later; run at once, it would be sent under the old operation's name.
    const documentAST = parse(query)
    const operations = documentAST.definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION)
    setOperationFacts({ documentAST, operations, operationName: operations[0]?.name?.value })
  }
  if (valid.length === 0) return null
  return (
    // not modal: that would hide the focusable page behind the menu from screen readers alone
    <DropdownMenu modal={false}>
      <DropdownMenu.Button className="topbar-examples">Examples ▾</DropdownMenu.Button>
      <DropdownMenu.Content align="end">
        {valid.map((example) => (
          <DropdownMenu.Item key={example.name} onSelect={() => open(example)}>
            {example.name}
          </DropdownMenu.Item>
        ))}
      </DropdownMenu.Content>
    </DropdownMenu>
  )
}

/** For an idempotency key: what an example does is done anew each time that it is opened, and once when run twice. */
function unique() {
  const bytes = crypto.getRandomValues(new Uint8Array(12))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
