import { beforeAll, expect, it } from '@jest/globals';
import { Bot, GrammyError, HttpError, InputFile } from 'grammy';
import { Telegraf, TelegramError } from 'telegraf';
import type { Outside } from './outside.js';
import type { Given, SdkProduct, SdkUser } from './product.js';

/** What the user's own bot has at the provider. */
const TOKEN = '100000:token-of-a-journey';
const CHAT = 7;
const REFUSING_CHAT = '@sandbox_status403';
const SLOW_CHAT = '@sandbox_pace400';

/** grammY's `client.apiRoot` and telegraf's `telegram.apiRoot`; neither reads a variable. Nothing is ever charged. */
export function telegramStories(given: Given, outside: () => Outside): void {
  let product: SdkProduct;
  let user: SdkUser;
  beforeAll(async () => {
    product = given();
    user = await product.sdkUser();
    const { id } = await product.admin.connect(user.tenantId, 'telegram', 'byok_static', TOKEN);
    await product.admin.bind(user.appId, 'telegram', id);
  });

  const grammy = () => new Bot(user.key, { client: { apiRoot: product.proxyUrl('telegram') } });
  /** telegraf resolves its paths against the root, which must therefore end with a slash. */
  const telegraf = () =>
    new Telegraf(user.key, { telegram: { apiRoot: `${product.proxyUrl('telegram')}/` } });

  it('grammY knows its bot, and sends a message and a file', async () => {
    const { api } = grammy();
    expect(await api.getMe()).toMatchObject({ is_bot: true, username: 'sandbox_bot' });
    const sent = await api.sendMessage(CHAT, 'Olá mundo👋');
    expect(sent).toMatchObject({ text: 'Olá mundo👋', chat: { id: CHAT, type: 'private' } });
    const photo = await api.sendPhoto('@news', new InputFile(new Uint8Array(2_000), 'cat.jpg'), {
      caption: 'a cat',
    });
    expect(photo).toMatchObject({ caption: 'a cat', photo: [{ file_size: 2_000 }] });
  });

  it('telegraf knows its bot, and sends a message and a file', async () => {
    const { telegram } = telegraf();
    expect(await telegram.getMe()).toMatchObject({ is_bot: true, username: 'sandbox_bot' });
    const sent = await telegram.sendMessage(CHAT, 'Olá mundo👋');
    expect(sent).toMatchObject({ text: 'Olá mundo👋', chat: { id: CHAT, type: 'private' } });
    const photo = await telegram.sendPhoto('@news', { source: Buffer.alloc(2_000) }, { caption: 'a cat' });
    expect(photo).toMatchObject({ caption: 'a cat', photo: [{ file_size: 2_000 }] });
  });

  it('grammY throws its GrammyError for what Telegram and what we refuse', async () => {
    const { api } = grammy();
    const thrown = await api.sendMessage(REFUSING_CHAT, 'x').catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(GrammyError);
    expect(thrown).toMatchObject({
      error_code: 403,
      description: expect.stringContaining('blocked by the user'),
    });
    const refused = await api.getWebhookInfo().catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(GrammyError);
  });

  it('telegraf throws its TelegramError for what Telegram and what we refuse', async () => {
    const { telegram } = telegraf();
    const thrown = await telegram.sendMessage(REFUSING_CHAT, 'x').catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(TelegramError);
    expect(thrown).toMatchObject({ code: 403, description: expect.stringContaining('blocked by the user') });
    const refused = await telegram.getWebhookInfo().catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(TelegramError);
  });

  it('grammY aborts a call', async () => {
    const thrown = await leftAlone((signal) => grammy().api.sendMessage(SLOW_CHAT, 'x', undefined, signal));
    expect(thrown).toBeInstanceOf(HttpError);
    expect(thrown).toMatchObject({ error: { name: 'AbortError' } });
  });

  it('telegraf aborts a call', async () => {
    const params = { chat_id: SLOW_CHAT, text: 'x' };
    const thrown = await leftAlone((signal) =>
      telegraf().telegram.callApi('sendMessage', params, { signal }),
    );
    expect(thrown).toMatchObject({ name: 'AbortError' });
  });

  it('charges nothing for any of it', () => product.expectNoCharge(user));

  /** What the call throws that is aborted once it is at the provider. Both declare the signal of an older package. */
  async function leftAlone(call: (signal: never) => Promise<unknown>): Promise<unknown> {
    const leaving = new AbortController();
    const before = outside().asked('/sendMessage');
    const thrown = call(leaving.signal as never).catch((error: unknown) => error);
    await product.waitUntil(async () => outside().asked('/sendMessage') > before, 'the call at the provider');
    leaving.abort();
    return thrown;
  }
}
