import { createHash } from 'node:crypto';
import { nanoid } from 'nanoid';

const MARK = 'vendo_sk_';
const SECRET_CHARS = 32;
const PREFIX_CHARS = 13;

/** A fresh key. The plain text is shown once and kept nowhere: the registry stores the hash and the display prefix. */
export interface IssuedKey {
  plaintext: string;
  /** SHA-256 of the plain text. */
  hash: Buffer;
  prefix: string;
}

export function issueKey(): IssuedKey {
  const plaintext = MARK + nanoid(SECRET_CHARS);
  return {
    plaintext,
    hash: createHash('sha256').update(plaintext).digest(),
    prefix: plaintext.slice(0, PREFIX_CHARS),
  };
}
