import { describe, expect, it } from 'vitest'
import { systemEnvironment } from '../../server/foundation/environment.ts'
import { startModules, stopModules, type Module } from '../../server/modules/module.ts'

describe('modules', () => {
  const told: string[] = []
  const module = (name: string, failsAt?: 'start' | 'stop'): Module => ({
    name,
    start: async () => {
      told.push(`start ${name}`)
      if (failsAt === 'start') throw new Error(`${name} cannot start`)
    },
    stop: {
      deadlineMs: 1_000,
      run: async () => {
        told.push(`stop ${name}`)
        if (failsAt === 'stop') throw new Error(`${name} cannot stop`)
      },
    },
  })

  it('[OPS-2] stop in the reverse of the order in which they started', async () => {
    told.length = 0
    const modules = [module('storage'), { name: 'without a life' }, module('sessions'), module('door')]
    await startModules(modules, systemEnvironment)
    const outcomes = await stopModules(modules, systemEnvironment)
    expect(told).toEqual([
      'start storage',
      'start sessions',
      'start door',
      'stop door',
      'stop sessions',
      'stop storage',
    ])
    expect(outcomes.map(({ name, outcome }) => `${name} ${outcome}`)).toEqual([
      'door done',
      'sessions done',
      'storage done',
    ])
  })

  it('[OPS-2] stop to the last, whichever of them fails', async () => {
    told.length = 0
    const outcomes = await stopModules(
      [module('storage'), module('sessions', 'stop'), module('door')],
      systemEnvironment,
    )
    expect(told).toEqual(['stop door', 'stop sessions', 'stop storage'])
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(['done', 'failed', 'done'])
  })

  it('leave nothing running when one cannot start', async () => {
    told.length = 0
    const modules = [module('storage'), module('sessions', 'start'), module('door')]
    await expect(startModules(modules, systemEnvironment)).rejects.toThrow('sessions cannot start')
    expect(told).toEqual(['start storage', 'start sessions', 'stop sessions', 'stop storage'])
  })
})
