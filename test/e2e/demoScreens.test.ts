import { describeLooks } from '../support/demoLooks.ts'
import { SCENES } from '../support/demoScenes.ts'
import { SCENES_OF_STATE } from '../support/demoScenesOfState.ts'

describeLooks('the screens of the demo', [...SCENES, ...SCENES_OF_STATE])
