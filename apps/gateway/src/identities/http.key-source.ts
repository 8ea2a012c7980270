import type { JSONWebKeySet } from 'jose';
import { z } from 'zod';
import { KeySource } from './key-source.js';

const ANSWER_WITHIN_MS = 3_000;
const KeySet = z.object({ keys: z.array(z.looseObject({ kty: z.string() })) });

/** A JWKS document over HTTP. A redirect is no answer: keys come from where the operator said. */
export class HttpKeySource extends KeySource {
  constructor(private readonly url: string) {
    super();
  }

  async fetch(): Promise<JSONWebKeySet> {
    const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
    const answer = await fetch(this.url, { signal, redirect: 'error' });
    if (answer.status !== 200) throw new Error(`the JWKS host answered ${answer.status}`);
    return KeySet.parse(await answer.json());
  }
}
