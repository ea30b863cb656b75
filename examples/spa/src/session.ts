// Who is signed in. The token comes behind `#`, which browsers send to nobody, and stays in this tab alone.

/** Where Stripe's pages send the customer back to. Never `location.href`: it may hold the token. */
export const here = location.origin + location.pathname;

const given = new URLSearchParams(location.hash.slice(1));
const token = given.get("token");
if (token) {
  // Together or not at all: a link with an address alone would have this tab's token sent there.
  sessionStorage.setItem("token", token);
  sessionStorage.setItem("api", given.get("api") ?? "http://127.0.0.1:8000/graphql");
}
// Out of the address bar, so that no bookmark, screenshot or history holds it.
if (location.hash) history.replaceState(null, "", here);

export const session = {
  api: sessionStorage.getItem("api") ?? "",
  token: sessionStorage.getItem("token") ?? "",
};

export function forgetSession(): void {
  sessionStorage.removeItem("token");
  session.token = "";
}
