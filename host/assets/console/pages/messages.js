// Lists of messages, with what can be done about one.
import { html, useState } from "../lib.js";
import { call, may, path } from "../api.js";
import { ask } from "../dialog.js";
import { t } from "../i18n.js";
import { link } from "../route.js";
import { ListEnd, Text, Time, useList } from "../ui.js";

const TEXT_MAX = 400;

function remove(message, done) {
  ask({
    title: t("message.delete"), text: t("message.delete.text", { id: message.id, author: message.author }),
    action: t("delete"), isDangerous: true,
    run: async () => {
      await call("DELETE", path`/messages/${message.id}`);
      done(message);
      return t("message.deleted", { id: message.id });
    },
  });
}

export function MessageList({ items, hasRoom, onDeleted, label }) {
  if (!items.length) return html`<p class="muted">${t("messages.none")}</p>`;
  return html`<ol class="messages" aria-label=${label ?? t("messages")}>${items.map(message => html`
    <li key=${message.id} class=${message.notice ? "notice" : undefined}>
      <div class="by"><strong><${Text} value=${message.author} max=${60} /></strong>
        ${hasRoom && message.room && html` ${t("in_room")} <a href=${link(["rooms", message.room])}><${Text} value=${message.room} max=${40} /></a>`}
        ${message.to && html` → <${Text} value=${message.to} max=${60} />`}
        ${message.notice && html` <span class="muted">${t("notice")}</span>`}
        <span class="muted"> <${Time} at=${message.at} /> #${message.id}</span></div>
      <div class="said-text"><${Text} value=${message.text} max=${TEXT_MAX} lines more /></div>
      <div class="buttons">
        ${may("moderator") && html`<a class="button" href=${link(["trace", message.id])}
          aria-label=${t("message.trace.label", { id: message.id })}>${t("nav.trace")}</a>`}
        ${may("moderator") && html`<button class="danger" aria-label=${t("message.delete.label", { id: message.id })}
          onClick=${() => remove(message, onDeleted)}>${t("delete")}</button>`}
      </div>
    </li>`)}</ol>`;
}

// Messages page by page, towards the past.
export function Messages({ to, query, hasRoom }) {
  const list = useList(to, query, { cursor: "before" });
  const [deleted, setDeleted] = useState(new Set());
  const items = list.items.filter(({ id }) => !deleted.has(id));
  return html`
    ${!(list.isLoading && !items.length) && html`<${MessageList} items=${items} hasRoom=${hasRoom}
      onDeleted=${({ id }) => setDeleted(new Set([...deleted, id]))} />`}
    <${ListEnd} list=${list} />`;
}

// What an announcement is made of.
export function announcementFields() {
  return [
    { name: "text", label: t("text"), type: "textarea", required: true },
    { name: "name", label: t("announce.name"), placeholder: "Announcement" },
  ];
}
