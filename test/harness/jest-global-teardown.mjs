import { rm } from 'node:fs/promises';

export default function teardown() {
  return rm(globalThis.journeysFolder, { recursive: true, force: true });
}
