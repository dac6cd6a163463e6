// The sign-in with a token of the admin API.
import { html, useEffect, useState } from "../lib.js";
import { signIn } from "../api.js";
import { t } from "../i18n.js";
import { Alert, Field } from "../ui.js";

export function SignIn({ choices }) {
  const [problem, setProblem] = useState(null);
  const [isBusy, setBusy] = useState(false);
  useEffect(() => { document.title = `${t("sign_in")} · Dragoman`; });
  const onSubmit = async event => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      await signIn(new FormData(event.target).get("token").trim());
    } catch (error) {
      setProblem(error);
    }
    setBusy(false);
  };
  return html`
    <header class="top"><span class="name">Dragoman</span><span class="spring"></span>${choices}</header>
    <main class="alone">
      <h1 tabindex="-1">${t("sign_in")}</h1>
      <form onSubmit=${onSubmit}>
        <input class="hidden" type="text" name="account" autocomplete="username" tabindex="-1" aria-hidden="true"
          value="dragoman" readonly />
        <${Field} name="token" type="password" label=${t("token")} required autocomplete="current-password"
          hint=${t("sign_in.hint")} />
        <p><code>dragoman admin token create --role operator</code></p>
        <${Alert} problem=${problem} />
        <button type="submit" class="primary" disabled=${isBusy}>${t("sign_in")}</button>
      </form>
    </main>`;
}
