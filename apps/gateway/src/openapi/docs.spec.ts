import { beforeAll, describe, expect, it } from '@jest/globals';
import type { oas31 } from 'zod-openapi';
import { billingStand } from '../billing/billing-stand.contract.js';

// The stand has the billing and the operator API: all Nest routes of the gateway under /api.
const { inject, registered } = billingStand();

let document: oas31.OpenAPIObject;
let operations: { name: string; operation: oas31.OperationObject }[];

beforeAll(async () => {
  document = JSON.parse((await inject('/api/docs/openapi.json')).body) as oas31.OpenAPIObject;
  operations = Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
    Object.entries(item as Record<string, oas31.OperationObject>).map(([method, operation]) => ({
      name: `${method} ${path}`,
      operation,
    })),
  );
});

describe('/api/docs/openapi.json', () => {
  it('is OpenAPI 3.1', () =>
    expect(document).toMatchObject({ openapi: '3.1.0', info: { title: 'Vendo gateway' } }));

  it('has every route that there is, and no other', () => {
    const routes = registered
      .map((route) => route.replace(/:(\w+)/g, '{$1}'))
      .filter(
        (route) => route.includes(' /api/') && !route.includes('/api/docs') && !route.startsWith('head '),
      );
    expect(operations.map(({ name }) => name).sort()).toEqual([...new Set(routes)].sort());
    expect(routes.length).toBeGreaterThan(25);
  });

  it('says of every operation which credentials open it, what it takes of its path, and what it answers', () => {
    for (const { name, operation } of operations) {
      if (!name.startsWith('options')) expect(operation.security).not.toEqual([]);
      const parameters = (operation.parameters ?? []) as oas31.ParameterObject[];
      const inPath = parameters.filter((each) => each.in === 'path').map((each) => `{${each.name}}`);
      expect(inPath).toEqual(name.match(/\{\w+\}/g) ?? []);
      const known = Object.keys(document.components?.securitySchemes ?? {});
      for (const scheme of (operation.security ?? []).flatMap(Object.keys)) expect(known).toContain(scheme);
      if (/^(post|put|patch) (?!.*\/replay$)/.test(name)) expect(operation.requestBody).toBeDefined();
      if (!name.startsWith('options'))
        expect(Object.keys(operation.responses ?? {})).toEqual(expect.arrayContaining(['401', '500']));
    }
  });

  it('holds the rules that the routes read by', () => {
    const credit = document.paths?.['/api/admin/tenants/{id}/credits']?.post;
    expect(credit?.parameters).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ in: 'header', name: 'idempotency-key', required: true }),
      ]),
    );
    expect(credit?.requestBody).toMatchObject({
      content: {
        'application/json': {
          schema: { additionalProperties: false, required: ['amount_micros', 'source'] },
        },
      },
    });
    expect(Object.keys(credit?.responses ?? {})).toEqual([
      '201',
      '400',
      '401',
      '404',
      '409',
      '413',
      '500',
      '503',
    ]);
  });
});

describe('/api/docs', () => {
  it('is a page that names every route and fetches nothing from anywhere', async () => {
    const { body, headers } = await inject('/api/docs');
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    for (const path of Object.keys(document.paths ?? {})) expect(body).toContain(`<code>${path}</code>`);
    expect(body).not.toMatch(/<script|<link|src=|url\(|@import|https?:\/\//);
  });
});
