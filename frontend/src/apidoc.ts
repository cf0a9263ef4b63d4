// The OpenAPI description as a page to read.

import { el, byId } from "./dom";

type Parameter = { name: string; in: string; required?: boolean; description?: string; schema: Record<string, unknown> };
type Operation = { summary?: string; tags?: string[]; parameters?: Parameter[] };
type Description = { paths: Record<string, Record<string, Operation>> };

function kind(schema: Record<string, unknown>): string {
  const options = schema.anyOf as Record<string, unknown>[] | undefined;
  if (options) return options.filter((option) => option.type !== "null").map(kind).join(" or ");
  const items = schema.items as Record<string, unknown> | undefined;
  return items ? `${kind(items)}, several times if need be` : String(schema.type ?? "text");
}

const description = (await (await fetch("api/openapi.json")).json()) as Description;
const page = byId("requests");
let tag = "";
for (const [path, methods] of Object.entries(description.paths)) {
  const operation = methods.get;
  if (!operation) continue;
  if (operation.tags?.[0] && operation.tags[0] !== tag) page.append(el("h2", {}, (tag = operation.tags[0])));
  const table = el("table");
  for (const parameter of operation.parameters ?? [])
    table.append(el("tr", {}, el("th", {}, el("code", {}, parameter.name)), el("td", {}, kind(parameter.schema)), el("td", {}, parameter.description ?? "")));
  const open = el("details", {}, el("summary", {}, el("code", {}, path), ` ${operation.summary ?? ""}`), table.rows.length > 0 && table);
  page.append(open);
}
