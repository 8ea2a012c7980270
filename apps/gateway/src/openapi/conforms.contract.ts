import { expect } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { answersOf, type DocumentedRoute, isDocumented } from './document.js';
import { Routes } from './routes.js';

/**
 * A check of answers against their declaration: the status is among the documented ones, and the body is what its schema
 * says, no field more. The app imports OpenApiModule.
 */
export function conformity(app: NestFastifyApplication) {
  const routes = app.get(Routes).all().filter(isDocumented);
  return (method: string, url: string, status: number, body: unknown): void => {
    const route = routes.find((each) => each.method === method.toLowerCase() && matches(each, url));
    if (!route) throw new Error(`${method} ${url} is not documented`);
    const answers = answersOf(route);
    expect([...answers.keys()]).toContain(status);
    const schema = answers.get(status) ?? null;
    if (schema === null) expect(body).toBeNull();
    // A schema that is not strict would take fields that are not documented, and drop them.
    else expect(schema.parse(body)).toEqual(body);
  };
}

function matches({ path }: DocumentedRoute, url: string): boolean {
  const [asked = ''] = url.split('?');
  const pattern = path.replace(/\{\w+\}/g, '[^/]+');
  return new RegExp(`^${pattern}$`).test(asked);
}
