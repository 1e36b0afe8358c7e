/**
 * /openapi.json: it is put together from what each route says of itself, so it can't describe an endpoint that is not
 * there.
 */
import type { FastifyInstance } from 'fastify'
import { type EndpointContract, errorResponses, errorSchema } from './contract.ts'

const describable: ReadonlySet<string> = new Set(['GET', 'HEAD', 'PUT', 'POST', 'DELETE'])

/** Watches the routes that come; the result builds the document (OpenAPI 3.1) from those that have a contract. */
export function describeEndpoints(
  fastify: FastifyInstance,
  init: { readonly version: string; readonly hasTokens: boolean },
): () => object {
  const paths: Record<string, Record<string, object>> = {}
  fastify.addHook('onRoute', ({ url, method, config }) => {
    const contract = config?.contract
    if (contract === undefined) return
    const shownUrl = contract.url ?? url
    const operations = paths[shownUrl] ?? {}
    paths[shownUrl] = operations
    for (const each of [method].flat()) {
      // OpenAPI 3.1 has no word for the methods of WebDAV (section 4.8.9).
      if (!describable.has(each)) continue
      operations[each.toLowerCase()] = operationOf(contract, each, config?.open === true)
    }
  })
  return () => ({
    openapi: '3.1.0',
    info: {
      title: 'altered-chord',
      version: init.version,
      description: 'A replicated file store without a coordinator.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    paths,
    components: {
      schemas: { Error: errorSchema },
      ...(init.hasTokens && { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } }),
    },
    ...(init.hasTokens && { security: [{ bearer: [] }] }),
  })
}

/** What comes of a body, also at an endpoint that only takes it in and throws it away. */
const BODY_ERRORS = ['FILE_TOO_LARGE', 'REQUEST_TIMEOUT'] as const

function operationOf(contract: EndpointContract, method: string, open: boolean): object {
  const { summary, description, parameters, requestBody, responses, errors } = contract
  const hasBody = method !== 'GET' && method !== 'HEAD'
  const all = hasBody ? [...new Set([...errors, ...BODY_ERRORS])] : errors
  return {
    summary,
    ...(description !== undefined && { description }),
    ...(open && { security: [] }),
    ...(parameters && { parameters }),
    ...(requestBody && { requestBody }),
    responses: { ...responses, ...errorResponses(all) },
  }
}
