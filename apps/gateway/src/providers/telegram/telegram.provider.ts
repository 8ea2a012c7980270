import type { Provider } from '../provider.js';
import { routes, spellingOf } from './telegram.routes.js';

/** `/bot<token>/<method>` and `/file/bot<token>/<path>`: whose the token is and how it is encoded is all the same. */
const WITH_TOKEN = /^\/(file\/)?bot([^/?#]*)\/([^?#]*)/;
/** The place of a token that `target` has emptied. */
const EMPTIED = /^(\/(?:file\/)?bot)\//;

export const telegram: Provider = {
  slug: 'telegram',
  upstream: 'https://api.telegram.org',
  variables: { keys: ['TELEGRAM_BOT_TOKEN'] },
  // A bot belongs to one tenant: who shares its token reads and writes in the others' chats.
  pool: false,
  // Nothing is metered.
  holdCeiling: 0n,
  routes,
  target(raw) {
    return raw.replace(
      WITH_TOKEN,
      (_, file: string | undefined, _token, rest: string) =>
        `/${file ?? ''}bot/${file === undefined ? spellingOf(rest) : rest}`,
    );
  },
  authorize(outgoing, secret) {
    // A function, because a `$` in a replacement means something.
    outgoing.path = outgoing.path.replace(EMPTIED, (_, place: string) => `${place}${inPath(secret)}/`);
  },
  rateKeys: () => [],
};

/** The colon of a token stays as Telegram's own clients send it; nothing may end the segment. */
function inPath(secret: string): string {
  return encodeURIComponent(secret).replaceAll('%3A', ':');
}
