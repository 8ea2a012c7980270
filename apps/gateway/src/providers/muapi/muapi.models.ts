/** A model is the path that it is called under, and is priced under that alone. */
export function rateKeys(model: string): readonly string[] {
  return [model];
}

/** Paths beside the models: keys, money, other people's work, and agents, whose calls may cost anything. */
const NO_MODEL =
  /^(?:accounts?|keys|payments|workflows?|agents?|predictions|models|upload_file)(?![a-z0-9])/i;

/** Whether the path is that of something else than a model, priced or not. */
export function isNoModel(path: string): boolean {
  return NO_MODEL.test(path);
}
