import type { Route } from '../provider.js';
import {
  readCompatibleChat,
  readCompatibleEmbeddings,
  readEmbedding,
  readGenerate,
  readInteraction,
  readStreamGenerate,
} from './gemini.request.js';

const VERSIONS = ['v1beta', 'v1', 'v1alpha'];

export const routes: readonly Route[] = [
  ...VERSIONS.flatMap(routesOf),
  {
    class: 'metered',
    method: 'POST',
    path: '/v1beta/openai/chat/completions',
    name: 'openai.chat.completions',
    read: readCompatibleChat,
  },
  {
    class: 'metered',
    method: 'POST',
    path: '/v1beta/openai/embeddings',
    name: 'openai.embeddings',
    read: readCompatibleEmbeddings,
  },
  { class: 'free', method: 'GET', path: '/v1beta/openai/models', name: 'openai.models.list' },
  { class: 'free', method: 'GET', path: '/v1beta/openai/models/*model', name: 'openai.models.retrieve' },
];

function routesOf(version: string): Route[] {
  const metered = { class: 'metered', method: 'POST' } as const;
  const model = `/${version}/models/:model`;
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
    { class: 'free', method: 'POST', path: `${model}:countTokens`, name: 'countTokens' },
    { class: 'free', method: 'GET', path: `/${version}/models`, name: 'models.list' },
    { class: 'free', method: 'GET', path: model, name: 'models.get' },
  ];
}
