import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, expect, it } from '@jest/globals';
import { DISK, makeSuiteFolder, testFolder } from './test-folder.js';

const ofThisSuite = process.env.VENDO_TEST_FOLDER;

afterEach(() => {
  if (ofThisSuite === undefined) delete process.env.VENDO_TEST_FOLDER;
  else process.env.VENDO_TEST_FOLDER = ofThisSuite;
});

it('is the folder of the suite, which any user may enter and only its owner may read', async () => {
  const folder = await makeSuiteFolder('spec');
  try {
    expect(testFolder()).toBe(folder);
    expect((await stat(folder)).mode & 0o777).toBe(0o711);
    const made = await mkdtemp(path.join(testFolder(), 'vendo-'));
    await writeFile(path.join(made, 'file'), 'x');
  } finally {
    await rm(folder, { recursive: true });
  }
});

it('is on the disk without a suite, and where a time is measured', () => {
  delete process.env.VENDO_TEST_FOLDER;
  expect(testFolder()).toBe(DISK);
});
