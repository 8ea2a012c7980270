/**
 * What must never reach a provider, by its slug: routes that cost what nothing here meters, that read or change what is
 * stored in an account, hand out credentials of it, or move its money. One method and target in a line; `WS` asks for a
 * WebSocket. Targets that are blocked by their query alone stand here as well.
 */
export const BLOCKED: Readonly<Record<string, string>> = {
  openai: `
    GET /v1/organization/usage/completions
    POST /v1/organization/admin_api_keys
    GET /v1/projects
    POST /v1/projects/proj_1/api_keys
    GET /v1/files
    POST /v1/files
    GET /v1/files/file-1/content
    DELETE /v1/files/file-1
    POST /v1/uploads
    POST /v1/vector_stores
    GET /v1/vector_stores/vs_1/files
    POST /v1/batches
    GET /v1/batches
    POST /v1/fine_tuning/jobs
    POST /v1/evals
    POST /v1/assistants
    POST /v1/threads
    POST /v1/threads/runs
    POST /v1/containers
    GET /v1/containers/cntr_1/files
    POST /v1/conversations
    POST /v1/skills
    POST /v1/chatkit/sessions
    POST /v1/agents
    POST /v1/vaults
    POST /v1/webhook_endpoints
    GET /v1/webhook_event_types
    GET /v1/safety/reports
    POST /v1/audio/voices
    POST /v1/audio/voice_consents
    POST /v1/content_provenance_checks
    POST /v1/live/sessions
    POST /v1/realtime/client_secrets
    POST /v1/realtime/sessions
    POST /v1/realtime/translations/client_secrets
    DELETE /v1/models/ft:gpt-4o:acme::1
    GET /v1/responses
    GET /v1/chat/completions
    GET /v1/videos
    POST /v1/videos
    POST /v1/traces/ingest
    WS /v1/realtime?model=gpt-realtime
    WS /v1/responses
    WS /v1/live/sessions
  `,
  anthropic: `
    POST /v1/complete
    POST /v1/messages/batches
    GET /v1/messages/batches
    GET /v1/messages/batches/msgbatch_1/results
    POST /v1/messages/batches/msgbatch_1/cancel
    POST /v1/files
    GET /v1/files/file_1/content
    DELETE /v1/files/file_1
    POST /v1/skills
    GET /v1/organizations/usage_report/messages
    POST /v1/organizations/api_keys/key_1
    POST /v1/agents
    POST /v1/sessions
    POST /v1/environments
    POST /v1/deployments
    GET /v1/deployment_runs
    POST /v1/dreams
    POST /v1/memory_stores
    POST /v1/vaults
    POST /v1/tunnels
    POST /v1/user_profiles
    POST /v1/oauth/token
    WS /v1/messages
  `,
  openrouter: `
    GET /api/v1/key
    GET /api/v1/keys
    POST /api/v1/keys
    DELETE /api/v1/keys/hash-1
    POST /api/v1/auth/keys
    POST /api/v1/auth/keys/code
    POST /api/v1/oauth/token
    GET /api/v1/credits
    POST /api/v1/credits/coinbase
    GET /api/v1/activity
    GET /api/v1/analytics/usage
    GET /api/v1/byok
    GET /api/v1/guardrails
    GET /api/v1/workspaces
    GET /api/v1/organization/members
    GET /api/v1/scim/v2/Users
    GET /api/v1/observability/logs
    GET /api/v1/presets
    POST /api/v1/presets/mine/chat/completions
    POST /api/v1/files
    POST /api/v1/containers
    GET /api/v1/vault/secrets
    POST /api/v1/interns
    GET /api/v1/datasets/1
    GET /api/v1/models/user
    GET /api/v1/generation?id=gen-1
    GET /api/v1/generation/content?id=gen-1
    GET /v1/keys
    GET /v1/credits
    WS /api/v1/responses
  `,
  gemini: `
    POST /upload/v1beta/files
    POST /v1beta/files
    GET /v1beta/files
    GET /download/v1beta/files/f-1:download
    POST /v1beta/cachedContents
    GET /v1beta/cachedContents
    POST /v1beta/fileSearchStores
    POST /v1beta/corpora
    POST /v1beta/models/gemini-2.5-flash:batchGenerateContent
    POST /v1beta/models/gemini-embedding-2:asyncBatchEmbedContent
    GET /v1beta/batches
    POST /v1beta/tunedModels
    POST /v1beta/tunedModels/mine:generateContent
    POST /v1beta/tuningJobs
    POST /v1beta/auth_tokens
    POST /v1alpha/auth_tokens
    POST /v1beta/credentials
    POST /v1beta/agents
    POST /v1beta/environments
    POST /v1beta/triggers
    POST /v1beta/webhooks
    GET /v1beta/voices
    GET /v1beta/interactions/i-1
    DELETE /v1beta/interactions/i-1
    POST /v1beta/interactions/i-1/cancel
    POST /v1beta/models/gemini-2.5-flash:generateContent?fields=candidates
    POST /v1beta/models/gemini-2.5-flash:generateContent?%66ields=candidates
    POST /v1beta/models/gemini-2.5-flash:generateContent?$fields=candidates
    WS /ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent
  `,
  elevenlabs: `
    GET /v1/user
    GET /v1/user/subscription
    GET /v1/usage/character-stats
    POST /v1/workspace/invites/add
    GET /v1/workspaces/w-1
    POST /v1/service-accounts/s-1/api-keys
    GET /v1/history
    GET /v1/history/h-1/audio
    DELETE /v1/history/h-1
    POST /v1/single-use-token/realtime_scribe
    POST /v1/convai/agents/create
    POST /v1/dubbing
    POST /v1/studio/projects
    GET /v1/productions/p-1
    POST /v1/flows/f-1
    POST /v1/assets
    POST /v1/audio-native
    POST /v1/pronunciation-dictionaries/add-from-file
    POST /v1/speech-engine
    POST /v1/voices/add
    POST /v1/voices/pvc
    POST /v1/voices/v-1/edit
    DELETE /v1/voices/v-1
    GET /v1/speech-to-text/transcripts/t-1
    DELETE /v1/speech-to-text/transcripts/t-1
    WS /v1/text-to-speech/v-1/stream-input?model_id=eleven_flash_v2_5
    WS /v1/text-to-speech/v-1/multi-stream-input
    WS /v1/speech-to-text/realtime
  `,
  assemblyai: `
    GET /v2/transcript
    DELETE /v2/transcript/t-1
    GET /v2/realtime/token
    POST /v2/realtime/token
    GET /v3/token
    POST /lemur/v3/generate/task
    WS /v3/ws?sample_rate=16000
    WS /v2/realtime/ws
  `,
  muapi: `
    GET /api/v1/account/balance
    POST /api/v1/account/topup
    GET /api/v1/keys
    POST /api/v1/keys
    DELETE /api/v1/keys/1
    POST /api/v1/payments/checkout
    POST /api/v1/workflow/w-1/run
    POST /api/v1/workflows/w-1/run
    POST /api/v1/agent/skill/run
    POST /api/v1/agent/creative/run
    POST /api/v1/agents/a-1
    POST /api/v1/flux-dev-image?webhook=https://example.org/
    POST /api/v1/flux-dev-image?%77ebhook=https://example.org/
    POST /v1/account/topup
    WS /api/v1/flux-dev-image
  `,
  composio: `
    GET /api/v3.1/auth_configs
    POST /api/v3.1/auth_configs
    GET /api/v3.1/connected_accounts
    GET /api/v3.1/connected_accounts/ca_1
    POST /api/v3.1/connected_accounts
    DELETE /api/v3/connected_accounts/ca_1
    GET /api/v3.1/org/projects
    GET /api/v3.1/project/usage/summary
    POST /api/v3.1/api_key_revocation
    POST /api/v3.1/cli/create-session
    GET /api/v3.1/internal/trigger/logs
    POST /api/v3.1/logs/tool_execution
    POST /api/v3.1/webhook_endpoints
    POST /api/v3.1/webhook_subscriptions
    POST /api/v3.1/trigger_instances/T/upsert
    POST /api/v3.1/mcp/servers
    POST /api/v3.1/files/upload/request
    POST /api/v3.1/tool_router/session/s-1/mounts/m-1
    GET /api/v3.1/auth/session/info
    POST /api/v3.1/tools/execute/proxy
    POST /api/v3/tools/execute/proxy
    POST /api/v3.1/tool_router/session/s-1/proxy_execute
    WS /api/v3.1/tools/execute/GITHUB_GET_REPO
  `,
  telegram: `
    POST /bot42:AA/setWebhook
    GET /bot42:AA/setWebhook?url=https://example.org/
    POST /bot42:AA/deleteWebhook
    GET /bot42:AA/getWebhookInfo
    POST /bot42:AA/getUpdates
    GET /bot42:AA/GETUPDATES
    POST /bot42:AA/logOut
    POST /bot42:AA/close
    POST /bot42:AA/createInvoiceLink
    POST /bot42:AA/sendInvoice
    POST /bot42:AA/refundStarPayment
    POST /bot42:AA/sendPaidMedia
    GET /bot42:AA/getStarTransactions
    GET /bot42:AA/getMyStarBalance
    POST /bot42:AA/giftPremiumSubscription
    POST /bot42:AA/sendGift
    POST /bot42:AA/transferGift
    GET /bot42:AA/getManagedBotToken
    POST /bot42:AA/replaceManagedBotToken
    POST /bot42:AA/inventedTomorrow
    POST /bot42:AA/test/sendMessage
    WS /bot42:AA/getUpdates
  `,
};

/** `[method, target]` of a provider's list. */
export function blockedRoutes(slug: string): [method: string, target: string][] {
  const lines = (BLOCKED[slug] ?? '').trim().split('\n');
  return lines.map((line) => {
    const [method = '', target = ''] = line.trim().split(' ');
    return [method, target];
  });
}

/** Ways to write a path so that it is another one to a reader who decodes, joins or cuts it. */
export function disguises(path: string): string[] {
  const slash = path.lastIndexOf('/');
  const [before, last] = [path.slice(0, slash), path.slice(slash + 1)];
  const encoded = (hexOf: (hex: string) => string): string =>
    last.replace(/[j-oz]/, (letter) => `%${hexOf(letter.charCodeAt(0).toString(16))}`);
  const whole = Buffer.from(last).toString('hex').replace(/../g, '%$&');
  return [
    `${path}/`,
    `${path}//`,
    `/${path}`,
    `${before}//${last}`,
    path.replace('/', '/\\'),
    `${before}/${encoded((hex) => hex)}`,
    `${before}/${encoded((hex) => hex.toUpperCase())}`,
    `${before}/${whole}`,
    `${before}/%25${whole.slice(1)}`,
    `${before}%2f${last}`,
    `${before}%2F${last}`,
    `${before}/./${last}`,
    `${before}/x/../${last}`,
    `${before}/x/%2e%2e/${last}`,
    `${before}/x/%2E./${last}`,
    `${before}/%252e/${last}`,
    `${before}/..;/${last}`,
    `${before}/x/..%5c${last}`,
    `${path};a=b`,
    `${path}%3b`,
    `${path}%20`,
    `${path}%00`,
    `${path}%23`,
    `${path}%3Fa=b`,
    `${path}/.`,
    `${path}/..`,
    path.toUpperCase(),
  ].filter((spelling) => spelling !== path);
}
