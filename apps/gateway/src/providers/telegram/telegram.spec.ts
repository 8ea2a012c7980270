import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { Outgoing } from '../provider.js';
import { matchRoute } from '../route-table.js';
import { telegram } from './telegram.provider.js';

const KEY = 'vendo_sk_0123456789abcdefghijABCDEFGHIJ__';
const TOKEN = '123456789:AAE-the_real$&one';

const targetOf = (raw: string): string => telegram.target?.(raw) ?? raw;
const routeOf = (method: string, raw: string) => matchRoute(telegram, method, targetOf(raw))?.route;

/** What Telegram would be asked, from a target as it came. */
function asked(raw: string, secret = TOKEN): string {
  const outgoing: Outgoing = { path: targetOf(raw), headers: {} };
  telegram.authorize(outgoing, secret);
  expect(outgoing.headers).toEqual({});
  return outgoing.path;
}

describe('the place of the token', () => {
  it.each([
    ['our key', `/bot${KEY}/getMe`],
    ['our key behind digits', `/bot123456:${KEY}/getMe`],
    ['our key behind digits, encoded', `/bot123456%3A${KEY}/getMe`],
    ['the same, in lower case', `/bot123456%3a${KEY}/getMe`],
    ['a token of the client', '/bot42:AAclient/getMe'],
    ['nothing', '/bot/getMe'],
  ])('is emptied of %s, and the real one stands there once', (_, raw) => {
    expect(targetOf(raw)).toBe('/bot/getMe');
    expect(asked(raw)).toBe('/bot123456789:AAE-the_real%24%26one/getMe');
  });

  it('is the same for files, whose paths and queries stay', () => {
    expect(asked(`/file/bot${KEY}/photos/bot/x.jpg?a=/bot/b`, '1:A')).toBe(
      '/file/bot1:A/photos/bot/x.jpg?a=/bot/b',
    );
    expect(asked(`/bot${KEY}/sendMessage?text=/bot/x`, '1:A')).toBe('/bot1:A/sendMessage?text=/bot/x');
  });

  it('cannot be left by a token that would end it', () =>
    expect(asked('/bot/getMe', '1:A/x?y#z')).toBe('/bot1:A%2Fx%3Fy%23z/getMe'));
});

describe('telegram routes', () => {
  it.each([
    'getMe',
    'sendMessage',
    'sendPhoto',
    'sendMediaGroup',
    'editMessageText',
    'deleteMessage',
    'forwardMessage',
    'copyMessage',
    'answerCallbackQuery',
    'getFile',
    'getChat',
    'getChatMember',
    'setMyCommands',
  ])('%s is free by GET and POST, in any case, and forwarded as it is documented', (method) => {
    for (const verb of ['GET', 'POST'])
      for (const name of [method, method.toLowerCase(), method.toUpperCase()]) {
        expect(routeOf(verb, `/bot${KEY}/${name}`)).toMatchObject({ class: 'free', name: method });
        expect(asked(`/bot${KEY}/${name}`, '1:A')).toBe(`/bot1:A/${method}`);
      }
    expect(routeOf('DELETE', `/bot${KEY}/${method}`)).toBeUndefined();
  });

  it.each([
    'setWebhook',
    'deleteWebhook',
    'getWebhookInfo',
    'getUpdates',
    'logOut',
    'close',
    'sendInvoice',
    'createInvoiceLink',
    'answerPreCheckoutQuery',
    'answerShippingQuery',
    'refundStarPayment',
    'getStarTransactions',
    'getMyStarBalance',
    'editUserStarSubscription',
    'createChatSubscriptionInviteLink',
    'editChatSubscriptionInviteLink',
    'sendPaidMedia',
    'approveSuggestedPost',
    'sendGift',
    'getAvailableGifts',
    'giftPremiumSubscription',
    'transferGift',
    'upgradeGift',
    'convertGiftToStars',
    'transferBusinessAccountStars',
    'getManagedBotToken',
    'replaceManagedBotToken',
    'setManagedBotAccessSettings',
    'setMyName',
    'setMyDescription',
    'setMyProfilePhoto',
    'setMyDefaultAdministratorRights',
    'setPassportDataErrors',
    'setBusinessAccountUsername',
    'verifyUser',
    'somethingOfTomorrow',
  ])('%s is blocked, however it is spelled', (method) => {
    const spellings = [
      ...[method, method.toLowerCase(), method.toUpperCase()],
      ...[`${method}/`, `/${method}`, `test/${method}`, `${method}%20`, `${method};a`, `getMe/${method}`],
      encoded(method, (hex) => hex.toLowerCase()),
      encoded(method, (hex) => hex.toUpperCase()),
    ];
    for (const verb of ['GET', 'POST', 'DELETE'])
      for (const spelling of spellings)
        for (const raw of [`/bot${KEY}/${spelling}`, `/bot/${spelling}?x=/bot/getMe`, `/bot/${spelling}#x`])
          expect([verb, raw, routeOf(verb, raw)]).toEqual([verb, raw, undefined]);
  });

  it.each([
    '/bot/getMe/',
    '/bot//getMe',
    '//bot/getMe',
    '/bot/test/getMe',
    `/Bot${KEY}/getMe`,
    `/bot${KEY}`,
    '/bot/',
    '/getMe',
    '/file/bot/',
    '/file/bot/photos/',
    '/file//bot/x',
    '/bot/g%65tMe',
  ])('%s is no route', (raw) => expect(routeOf('GET', raw)).toBeUndefined());

  it('has the files that Telegram names, by GET', () => {
    const { result } = JSON.parse(fixture('file.json'));
    expect(routeOf('GET', `/file/bot${KEY}/${result.file_path}`)).toMatchObject({
      class: 'free',
      name: 'file',
    });
    expect(routeOf('POST', `/file/bot${KEY}/${result.file_path}`)).toBeUndefined();
  });

  it('takes files while they come where a method takes any', () => {
    expect(routeOf('POST', '/bot/sendPhoto')).toMatchObject({ upload: true });
    expect(routeOf('GET', '/bot/sendPhoto')).not.toHaveProperty('upload');
    expect(routeOf('POST', '/bot/sendMessage')).not.toHaveProperty('upload');
  });

  it('meters nothing', () => {
    expect(telegram.routes.filter((route) => route.class !== 'free')).toEqual([]);
    expect(telegram.rateKeys('sendMessage')).toEqual([]);
  });
});

function fixture(name: string): string {
  return readFileSync(join(import.meta.dirname, 'fixtures', name), 'utf8');
}

/** The first letter percent-encoded. */
function encoded(method: string, inCase: (hex: string) => string): string {
  return `%${inCase(method.charCodeAt(0).toString(16))}${method.slice(1)}`;
}
