import path from 'node:path';
// Jest loads its global setup outside of its own transformer, so this file reads what `npm run build` made.
import { makeSuiteFolder, startEmbeddedPostgres } from '../../dist/libs/testing/src/index.js';

/** One real Postgres for all specs of a run; each spec makes a database of its own in it. */
export default async function setup() {
  const folder = await makeSuiteFolder('test');
  const server = await startEmbeddedPostgres({ folder: path.join(folder, 'postgres') });
  process.env.TEST_POSTGRES_URL = server.url;
  globalThis.testPostgres = { server, folder };
}
