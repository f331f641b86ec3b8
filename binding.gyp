{
  # One recipe only: native/CMakeLists.txt. npm leaves this alone ("gypfile": false); for those who type node-gyp.
  "targets": [
    {
      "target_name": "turnout",
      "type": "none",
      "actions": [
        {
          "action_name": "make",
          "inputs": ["native/CMakeLists.txt"],
          "outputs": ["build/native/Release/turnout.node"],
          "action": ["make", "build/native/Release/turnout.node"]
        }
      ]
    }
  ]
}
