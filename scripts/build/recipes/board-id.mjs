/**
 * @param {string} board <vendor>/<model>
 * @returns {string} for names of artefacts and files
 */
export function boardId(board) {
  return board.replace("/", "-");
}
