// Talks to the gateway: queries and mutations with urql, live changes with graphql-ws.
import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { Client, fetchExchange, stringifyDocument } from "@urql/core";
import type { OperationResult } from "@urql/core";
import { createClient } from "graphql-ws";
import { Changes } from "./operations";
import { session } from "./session";

/** The token is missing, wrong, or has ended. */
export class SignedOutError extends Error {}

// The newest that this page has seen. Reads name it, so that whichever process answers is as far; 0 asks to be told.
let revision = "0";

async function send(url: RequestInfo | URL, options?: RequestInit): Promise<Response> {
  const answer = await fetch(url, options);
  saw(answer.headers.get("Billing-Revision"));
  return answer;
}

function saw(seen: string | null | undefined): void {
  if (seen && Number(seen) > Number(revision)) revision = seen;
}

const client = new Client({
  url: session.api,
  exchanges: [fetchExchange],
  preferGetMethod: false,
  fetch: send,
  fetchOptions: () => ({
    headers: { Authorization: `Bearer ${session.token}`, "Billing-Min-Revision": revision },
  }),
});

/** The answer of a query; throws what to tell the person. */
export async function ask<Data, Variables extends object>(
  query: TypedDocumentNode<Data, Variables>,
  variables: Variables,
): Promise<Data> {
  if (!session.token) throw new SignedOutError();
  return dataOf(await client.query(query, variables));
}

/** The answer of a mutation; what it refuses stands in the payload, see `accepted`. */
export async function act<Data, Variables extends object>(
  mutation: TypedDocumentNode<Data, Variables>,
  variables: Variables,
): Promise<Data> {
  return dataOf(await client.mutation(mutation, variables));
}

function dataOf<Data>({ data, error }: OperationResult<Data>): Data {
  if (error?.response?.status === 401) throw new SignedOutError();
  if (error) throw new Error(error.graphQLErrors[0]?.message ?? "Billing can't be reached. Try again in a moment.");
  return data!;
}

/** A mutation's payload; a refusal is thrown with its words for people. */
export function accepted<Payload extends { errors: { message: string }[] }>(payload: Payload): Payload {
  const refused = payload.errors[0];
  if (refused) throw new Error(refused.message);
  return payload;
}

/** Calls `changed` after each change that was made anywhere since what this page has seen, until the token ends. */
export function follow(changed: () => void, ended: (error: Error) => void): void {
  const live = createClient({
    url: session.api.replace(/^http/, "ws"),
    connectionParams: () => ({ Authorization: `Bearer ${session.token}` }),
    retryAttempts: Infinity,
    shouldRetry: () => true,
  });
  live.subscribe<{ billingChanged: { revision: string } }>(
    { query: stringifyDocument(Changes), variables: { after: revision } },
    {
      next: ({ data }) => {
        saw(data?.billingChanged.revision);
        changed();
      },
      error: (why) =>
        ended(
          why instanceof CloseEvent && why.code === 4403
            ? new SignedOutError()
            : new Error("Live updates have ended. Reload the page to see what has changed."),
        ),
      complete: () => {},
    },
  );
}
