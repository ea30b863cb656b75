// GraphiQL for the gateway: reads the page's configuration and mounts the editor under the top bar.
import './environment.js'
import 'graphiql/style.css'
import './page.css'
import { DOC_EXPLORER_PLUGIN, DocExplorerStore } from '@graphiql/plugin-doc-explorer'
import { HISTORY_PLUGIN, HistoryStore } from '@graphiql/plugin-history'
import { GraphiQLProvider } from '@graphiql/react'
import { GraphiQL, GraphiQLInterface } from 'graphiql'
import { useMemo, useState } from 'react'
import { createRoot } from 'react-dom/client'
import { createFetcher } from './fetcher.js'
import { describeTabs } from './tabs.js'
import { loadToken, saveToken } from './token.js'
import { TopBar } from './TopBar.jsx'

const PLUGINS = [DOC_EXPLORER_PLUGIN, HISTORY_PLUGIN]
const { endpoint, examples } = JSON.parse(document.getElementById('graphiql-config').textContent)
// The first example greets who comes for the first time; later, GraphiQL brings back the tabs as they were left.
const greeting = localStorage.getItem('graphiql:tabState') === null ? examples[0] : undefined

function App() {
  // A new object for each press of "Use token", so that the same token, too, loads the schema again.
  const [access, setAccess] = useState({ token: loadToken() })
  const fetcher = useMemo(() => createFetcher({ endpoint, token: access.token }), [access])
  const useToken = (token) => {
    saveToken(token)
    setAccess({ token })
  }
  return (
    <GraphiQLProvider
      fetcher={fetcher}
      // null tells GraphiQL not to introspect: without a token the endpoint would only answer 401.
      schema={access.token ? undefined : null}
      plugins={PLUGINS}
      referencePlugin={DOC_EXPLORER_PLUGIN}
      initialQuery={greeting?.query}
      initialVariables={greeting?.variables}
      inputValueDeprecation
      schemaDescription
    >
      <HistoryStore>
        <DocExplorerStore>
          <div className="page graphiql-container">
            <TopBar token={access.token} onToken={useToken} examples={examples} />
            <main className="page-main" ref={describeTabs}>
              <GraphiQLInterface defaultEditorToolsVisibility="variables" showPersistHeadersSettings={false}>
                <GraphiQL.Logo> </GraphiQL.Logo>
              </GraphiQLInterface>
            </main>
          </div>
        </DocExplorerStore>
      </HistoryStore>
    </GraphiQLProvider>
  )
}

createRoot(document.getElementById('graphiql')).render(<App />)
