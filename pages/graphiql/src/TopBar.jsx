// The bar above GraphiQL: the token, what became of the schema, and the example queries.
import { DropdownMenu, pick, useGraphiQL, useGraphiQLActions } from '@graphiql/react'
import { Kind, parse } from 'graphql'
import { useState } from 'react'

export function TopBar({ token, onToken, examples }) {
  return (
    <header className="topbar">
      <h1 className="topbar-title">
        Billing Gateway <span>GraphiQL</span>
      </h1>
      <TokenForm token={token} onToken={onToken} />
      <SchemaStatus token={token} />
      {examples.length > 0 && <Examples examples={examples} />}
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

function Examples({ examples }) {
  const { addTab, setOperationFacts } = useGraphiQLActions()
  const { queryEditor, variableEditor } = useGraphiQL(pick('queryEditor', 'variableEditor'))
  const open = ({ query, variables }) => {
    addTab()
    queryEditor.setValue(query)
    variableEditor.setValue(variables)
    // GraphiQL looks at the new text a moment later; run at once, it would be sent under the old operation's name.
    const documentAST = parse(query)
    const operations = documentAST.definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION)
    setOperationFacts({ documentAST, operations, operationName: operations[0]?.name?.value })
  }
  return (
    <DropdownMenu>
      <DropdownMenu.Button className="topbar-examples">Examples ▾</DropdownMenu.Button>
      <DropdownMenu.Content align="end">
        {examples.map((example) => (
          <DropdownMenu.Item key={example.name} onSelect={() => open(example)}>
            {example.name}
          </DropdownMenu.Item>
        ))}
      </DropdownMenu.Content>
    </DropdownMenu>
  )
}
