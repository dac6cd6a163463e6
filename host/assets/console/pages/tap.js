// The frames of a peer, a user, a room or a front end, as they pass.
import { html, useState } from "../lib.js";
import { path, save } from "../api.js";
import { t } from "../i18n.js";
import { Dropped, Frames, useFrames } from "../passing.js";
import { go } from "../route.js";
import { transcript } from "../transcript.js";
import { Alert, Field, PageHead, useGet } from "../ui.js";

export function Tap({ query }) {
  const [tapped, setTapped] = useState(null);
  const [isPaused, setPaused] = useState(false);
  const frontends = useGet(path`/frontends`).data?.items ?? [];
  const found = useFrames(tapped && path`/tap`, tapped, isPaused);
  const onSubmit = event => {
    event.preventDefault();
    const given = Object.fromEntries([...new FormData(event.target)].map(([name, text]) => [name, text.trim()]));
    if (given.engine) given.engine = "true";
    go(["tap"], given);
    setPaused(false);
    setTapped(given);
  };
  const onSave = () => save("tap.transcript", "text/plain", transcript(found.frames));
  return html`
    <${PageHead} title=${t("nav.tap")} />
    <p class="muted">${t("tap.text")}</p>
    <form class="filters" aria-label=${t("tap.filter")} onSubmit=${onSubmit}>
      ${fields(frontends, query).map(field => html`<${Field} ...${field} key=${`${field.name} ${field.options?.length}`} />`)}
      ${tapped ? html`<button type="button" onClick=${() => setTapped(null)}>${t("stop")}</button>`
        : html`<button type="submit" class="primary">${t("tap.start")}</button>`}
    </form>
    <div class="actions">
      <button aria-pressed=${String(isPaused)} disabled=${!tapped} onClick=${() => setPaused(!isPaused)}>${t("pause")}</button>
      <button disabled=${!found.frames.length} onClick=${found.clear}>${t("clear")}</button>
      <button disabled=${!found.frames.length} onClick=${onSave}>${t("tap.save")}</button>
      <span role="status" class="muted">${t(tapped && found.isOpen ? isPaused ? "tap.paused" : "tap.open" : "tap.closed", {
        count: found.frames.length })}</span>
      <${Dropped} count=${found.dropped} />
    </div>
    <${Alert} problem=${found.problem} />
    <${Frames} frames=${found.frames} label=${t("frames")} />`;
}

function fields(frontends, query) {
  const names = frontends.map(({ name }) => [name, name]);
  if (query.frontend && !frontends.some(({ name }) => name === query.frontend)) names.push([query.frontend, query.frontend]);
  return [
    { name: "frontend", label: t("frontend"), options: [["", t("all")], ...names], value: query.frontend ?? "" },
    { name: "session", label: t("session"), value: query.session },
    { name: "user", label: t("user"), value: query.user, placeholder: "ann, guest:zed" },
    { name: "room", label: t("room"), value: query.room },
    { name: "peer", label: t("address"), value: query.peer, placeholder: "10.0.0.0/8" },
    { name: "engine", label: t("tap.engine"), type: "checkbox", value: query.engine === "true" },
  ];
}
