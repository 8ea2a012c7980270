/** Ways of routing to the same model. `:free`, `:batch`, `:thinking` and the like are models of their own. */
const ROUTING = /:(?:nitro|floor|exacto|online)$/;

/**
 * Names under which a model may be priced where OpenRouter does not say what a call cost: as it is, without its way of
 * routing.
 */
export function rateKeys(model: string): readonly string[] {
  return [...new Set([model, model.replace(ROUTING, '')])];
}
