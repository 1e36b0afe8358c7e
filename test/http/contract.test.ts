import t from 'tap'
import { errorResponses } from '../../src/http/contract.ts'

t.test('errors of one status are told together, with what they mean', async t => {
  const responses = errorResponses(['FILE_NOT_FOUND', 'INVALID_PATH'])
  t.match(responses[404]?.description, /^FILE_NOT_FOUND: no file has this path$/)
  t.match(responses[400]?.description, /INVALID_REQUEST: .*; INVALID_PATH: /)
  t.ok(responses[401] && responses[403] && responses[500] && responses[503], 'what every endpoint can answer')
  t.match(responses[409]?.description, /^WRONG_NETWORK: [^;]*$/)
  t.notOk(responses[412])
})
