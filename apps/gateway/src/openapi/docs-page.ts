import type { oas31 } from 'zod-openapi';

/** The document for people: one page without scripts, fonts or anything else from elsewhere. */
export function docsPage(document: oas31.OpenAPIObject): string {
  const operations = Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
    Object.entries(item as Record<string, oas31.OperationObject>).map(([method, operation]) => ({
      path,
      method,
      operation,
    })),
  );
  const tags = Map.groupBy(operations, ({ operation }) => operation.tags?.[0] ?? '');
  const sections = [...tags].map(
    ([tag, group]) => `<h2>${escaped(tag)}</h2>${group.map((each) => section(document, each)).join('')}`,
  );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escaped(document.info.title)}: API</title><style>${STYLE}</style></head>
<body><h1>${escaped(document.info.title)}</h1>
<p>${escaped(document.info.description ?? '')} For machines: <a href="/api/docs/openapi.json">openapi.json</a> (OpenAPI ${escaped(document.openapi)}).</p>
<h2>Credentials</h2>${credentials(document)}
${sections.join('\n')}</body></html>
`;
}

const STYLE = `body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
code,pre{font:13px/1.5 ui-monospace,monospace}pre{background:#f4f4f4;padding:.6rem;overflow:auto;max-height:24rem}
details{border-bottom:1px solid #ddd;padding:.4rem 0}summary{cursor:pointer}b{display:inline-block;min-width:4.5rem}`;

interface Operation {
  path: string;
  method: string;
  operation: oas31.OperationObject;
}

function section(document: oas31.OpenAPIObject, { path, method, operation }: Operation): string {
  const security = (operation.security ?? []).flatMap(Object.keys).join(' or ') || 'none';
  const content = (operation.requestBody as oas31.RequestBodyObject | undefined)?.content;
  const answers = Object.entries((operation.responses ?? {}) as Record<string, oas31.ResponseObject>);
  return `<details><summary><b>${method.toUpperCase()}</b> <code>${escaped(path)}</code> ${escaped(operation.summary ?? '')}</summary>
<p>${escaped(operation.description ?? '')}</p><p>Credential: ${escaped(security)}</p>
${operation.parameters ? `<h4>Parameters</h4>${shown(operation.parameters)}` : ''}
${content ? `<h4>Body</h4>${shown(schemaOf(document, content))}` : ''}
${answers
  .map(
    ([status, answer]) =>
      `<h4>${status}</h4><p>${escaped(answer.description)}</p>${answer.content ? shown(schemaOf(document, answer.content)) : ''}`,
  )
  .join('\n')}</details>
`;
}

function credentials(document: oas31.OpenAPIObject): string {
  const schemes = Object.entries(
    (document.components?.securitySchemes ?? {}) as Record<string, oas31.SecuritySchemeObject>,
  );
  const items = schemes.map(
    ([name, { description }]) => `<li><code>${escaped(name)}</code>: ${escaped(description ?? '')}</li>`,
  );
  return `<ul>${items.join('')}</ul>`;
}

function schemaOf({ components }: oas31.OpenAPIObject, content: oas31.ContentObject): unknown {
  const schema = Object.values(content)[0]?.schema;
  const name = schema && '$ref' in schema ? schema.$ref?.split('/').at(-1) : undefined;
  return name ? components?.schemas?.[name] : schema;
}

function shown(value: unknown): string {
  return `<pre>${escaped(JSON.stringify(value, null, 2))}</pre>`;
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
