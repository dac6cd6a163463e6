// Dialogs that ask before something is done, and the line that says that it was.
import { html, signal, useEffect, useRef, useState } from "./lib.js";
import { t } from "./i18n.js";
import { Alert, Field } from "./ui.js";

const asked = signal(null);
const said = signal("");

// Asks for what an action needs, and does it: {title, text, fields, action, isDangerous, run(values)}. A refusal is shown in
// the dialog, which stays open; `run` may return a sentence on what was done, or {show: html} for a result to read.
export function ask(question) {
  asked.value = question;
}

export function say(sentence) {
  said.value = sentence;
}

export function Dialogs() {
  return html`
    ${asked.value && html`<${Dialog} question=${asked.value} key=${asked.value} />`}
    <div class="said" role="status" aria-live="polite">${said.value && html`<${Said} text=${said.value} />`}</div>`;
}

function Said({ text }) {
  useEffect(() => {
    const timer = setTimeout(() => { said.value = ""; }, 8000);
    return () => clearTimeout(timer);
  }, [text]);
  return html`<p>${text}</p>`;
}

function values(form, fields) {
  const given = new FormData(form);
  return Object.fromEntries(fields.map(({ name, type }) => [
    name, type === "checkbox" ? given.has(name) : type === "password" ? given.get(name) : given.get(name).trim(),
  ]));
}

function Dialog({ question }) {
  const dialog = useRef(null);
  const [problem, setProblem] = useState(null);
  const [isBusy, setBusy] = useState(false);
  const [result, setResult] = useState(null);
  const fields = question.fields ?? [];
  useEffect(() => {
    const before = document.activeElement;
    dialog.current.showModal();
    return () => before?.isConnected && before.focus();
  }, []);
  const close = () => { asked.value = null; };
  const onSubmit = async event => {
    event.preventDefault();
    if (result) return close();
    setBusy(true);
    try {
      const done = await question.run(values(event.target, fields));
      if (done?.show) {
        setResult(done.show);
      } else {
        close();
        if (typeof done === "string") say(done);
      }
    } catch (error) {
      setProblem(error);
    }
    setBusy(false);
  };
  return html`<dialog ref=${dialog} aria-labelledby="dialog-title" onClose=${close}>
    <form onSubmit=${onSubmit}>
      <h2 id="dialog-title">${question.title}</h2>
      ${question.text && !result && html`<p>${question.text}</p>`}
      ${question.account && html`<input class="hidden" type="text" name="account" autocomplete="username" tabindex="-1"
        aria-hidden="true" value=${question.account} readonly />`}
      ${!result && fields.map(field => html`<${Field} ...${field} key=${field.name} />`)}
      ${result}
      <${Alert} problem=${problem} />
      <div class="actions">
        ${!result && html`<button type="button" onClick=${close}>${t("cancel")}</button>`}
        <button type="submit" class=${question.isDangerous && !result ? "danger" : "primary"} disabled=${isBusy}>
          ${result ? t("close") : question.action}
        </button>
      </div>
    </form>
  </dialog>`;
}
