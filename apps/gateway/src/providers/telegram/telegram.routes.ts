import type { FreeRoute, Route } from '../provider.js';

/** They may be given a file, as multipart form: it is forwarded while it comes. */
const TAKE_FILES = `
  sendPhoto sendAudio sendDocument sendVideo sendAnimation sendVoice sendVideoNote sendLivePhoto sendMediaGroup
  sendSticker sendRichMessage editMessageMedia editEphemeralMessageMedia setChatPhoto uploadStickerFile
  createNewStickerSet addStickerToSet replaceStickerInSet setStickerSetThumbnail
`;

/** Messages, and what is asked or answered in chats. */
const MESSAGES = `
  sendMessage sendMessageDraft sendRichMessageDraft sendLocation sendVenue sendContact sendPoll sendChecklist sendDice
  sendGame sendChatAction forwardMessage forwardMessages copyMessage copyMessages editMessageText editMessageCaption
  editMessageReplyMarkup editMessageLiveLocation editMessageChecklist stopMessageLiveLocation stopPoll
  editEphemeralMessageText editEphemeralMessageCaption editEphemeralMessageReplyMarkup deleteEphemeralMessage
  deleteMessage deleteMessages pinChatMessage unpinChatMessage unpinAllChatMessages setMessageReaction
  deleteMessageReaction deleteAllMessageReactions setGameScore getGameHighScores answerCallbackQuery
  answerInlineQuery answerWebAppQuery answerGuestQuery savePreparedInlineMessage savePreparedKeyboardButton
`;

/** The bot, its files, users and stickers, read. */
const READING = `
  getMe getFile getMyCommands getMyName getMyDescription getMyShortDescription getMyDefaultAdministratorRights
  getUserProfilePhotos getUserProfileAudios getUserChatBoosts getStickerSet getCustomEmojiStickers
  getForumTopicIconStickers getChat getChatAdministrators getChatMember getChatMemberCount getChatMembersCount
  getChatMenuButton
`;

/** Chats that the bot administers, forum topics in them, its commands and sticker sets. */
const ADMINISTRATION = `
  setMyCommands deleteMyCommands setChatMenuButton leaveChat banChatMember kickChatMember unbanChatMember
  banChatSenderChat unbanChatSenderChat restrictChatMember promoteChatMember setChatAdministratorCustomTitle
  setChatMemberTag setChatPermissions setChatTitle setChatDescription deleteChatPhoto setChatStickerSet
  deleteChatStickerSet exportChatInviteLink createChatInviteLink editChatInviteLink revokeChatInviteLink
  approveChatJoinRequest declineChatJoinRequest answerChatJoinRequestQuery sendChatJoinRequestWebApp
  createForumTopic editForumTopic closeForumTopic reopenForumTopic deleteForumTopic unpinAllForumTopicMessages
  editGeneralForumTopic closeGeneralForumTopic reopenGeneralForumTopic hideGeneralForumTopic
  unhideGeneralForumTopic unpinAllGeneralForumTopicMessages setStickerPositionInSet deleteStickerFromSet
  setStickerEmojiList setStickerKeywords setStickerMaskPosition setStickerSetTitle deleteStickerSet
  setCustomEmojiStickerSetThumbnail
`;

const FILES = namesIn(TAKE_FILES);
const METHODS = [...FILES, ...[MESSAGES, READING, ADMINISTRATION].flatMap(namesIn)];
const SPELLINGS = new Map(METHODS.map((method) => [method.toLowerCase(), method]));

/** What may be called; every method is a route of its own, so that what Telegram adds tomorrow is blocked. */
export const routes: readonly Route[] = [
  ...METHODS.flatMap((method) => [free('GET', method), free('POST', method)]),
  { class: 'free', method: 'GET', path: '/file/bot/*path', name: 'file' },
];

/** An allowed method as its route spells it: Telegram reads names in any case. Any other name comes back as it is. */
export function spellingOf(method: string): string {
  return SPELLINGS.get(method.toLowerCase()) ?? method;
}

function free(verb: FreeRoute['method'], method: string): FreeRoute {
  const upload = verb === 'POST' && FILES.includes(method);
  return {
    class: 'free',
    method: verb,
    path: `/bot/${method}`,
    name: method,
    ...(upload ? { upload } : {}),
  };
}

function namesIn(list: string): string[] {
  return list.trim().split(/\s+/);
}
