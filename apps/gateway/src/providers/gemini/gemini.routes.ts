import type { Route } from '../provider.js';
import {
  objectsOfCountTokens,
  readCompatibleChat,
  readCompatibleEmbeddings,
  readEmbedding,
  readGenerate,
  readInteraction,
  readStreamGenerate,
} from './gemini.request.js';

const VERSIONS = ['v1beta', 'v1', 'v1alpha'];

export const routes: readonly Route[] = VERSIONS.flatMap(routesOf);

function routesOf(version: string): Route[] {
  const metered = { class: 'metered', method: 'POST' } as const;
  const model = `/${version}/models/:model`;
  const compatible = `/${version}/openai`;
  return [
    { ...metered, path: `${model}:generateContent`, name: 'generateContent', read: readGenerate },
    {
      ...metered,
      path: `${model}:streamGenerateContent`,
      name: 'streamGenerateContent',
      read: readStreamGenerate,
    },
    { ...metered, path: `${model}:embedContent`, name: 'embedContent', read: readEmbedding },
    { ...metered, path: `${model}:batchEmbedContents`, name: 'batchEmbedContents', read: readEmbedding },
    { ...metered, path: `/${version}/interactions`, name: 'interactions', read: readInteraction },
    {
      class: 'free',
      method: 'POST',
      path: `${model}:countTokens`,
      name: 'countTokens',
      accountObjectsIn: objectsOfCountTokens,
    },
    { class: 'free', method: 'GET', path: `/${version}/models`, name: 'models.list' },
    { class: 'free', method: 'GET', path: model, name: 'models.get' },
    {
      ...metered,
      path: `${compatible}/chat/completions`,
      name: 'openai.chat.completions',
      read: readCompatibleChat,
    },
    {
      ...metered,
      path: `${compatible}/embeddings`,
      name: 'openai.embeddings',
      read: readCompatibleEmbeddings,
    },
    { class: 'free', method: 'GET', path: `${compatible}/models`, name: 'openai.models.list' },
    { class: 'free', method: 'GET', path: `${compatible}/models/*model`, name: 'openai.models.retrieve' },
  ];
}
