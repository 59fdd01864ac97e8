"""Real engines out of ordinary wheels, each a supervised child process: the database, the queue, a model.

`engines.embedded` opens the ones that are wanted; `child.Child` keeps any program running, and is what
`up` runs the web and worker processes with. Nothing here reads settings: values are passed in.
"""
