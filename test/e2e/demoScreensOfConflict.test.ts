import { describeLooks } from '../support/demoLooks.ts'
import { SCENES_OF_CONFLICT } from '../support/demoScenesOfConflict.ts'

describeLooks('the screens of a conflict in the demo', SCENES_OF_CONFLICT)
