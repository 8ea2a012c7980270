import { z } from 'zod';
import type { Form } from '../form-body.js';
import { invalid } from '../request-body.js';

/** Fields that the bodies of several routes have. */
export const Model = z.string().min(1).max(256);
export const Count = z.int().min(1).nullish();
export const Flag = z.boolean().nullish();
export const Tier = z.string().max(32).nullish();
export const Word = z.string().max(64).nullish();

/** The model that a form names; null: none. Throws VendoError `invalid_body`. */
export function modelIn(form: Form): string | null {
  const model = form.text('model');
  if (model === null) return null;
  if (!Model.safeParse(model).success) throw notTaken('model');
  return model;
}

/** A count that a form names; null: none. Throws VendoError `invalid_body`. */
export function countIn(form: Form, name: string): number | null {
  const text = form.text(name);
  if (text === null) return null;
  if (!/^[1-9]\d{0,5}$/.test(text)) throw notTaken(name);
  return Number(text);
}

/** A flag of a form; false where there is none. Throws VendoError `invalid_body` for what is neither true nor false. */
export function flagIn(form: Form, name: string): boolean {
  const text = form.text(name)?.toLowerCase() ?? 'false';
  if (text !== 'true' && text !== 'false') throw notTaken(name);
  return text === 'true';
}

export function notTaken(name: string) {
  return invalid(`"${name}" is missing or not what this route takes.`);
}
