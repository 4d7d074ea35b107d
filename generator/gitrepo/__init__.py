"""The only Git process: plumbing on a bare repository or on a person's checkout.

Promises. Nothing here mutates an index, a work tree or a branch except `land` in a checkout,
which moves the branch by compare-and-swap and then only files that were clean. A commit is
built beside the branches and becomes visible by one plain fast-forward push or one guarded
ref update: a kill leaves either the old head or the new one, and unreachable objects. The
push is the lock: any number of writers may run. Never force. The environment given to Git is
made here, so no hook, filter, alias, pager, prompt or system configuration takes part; only the
credentials that a person set up for this user do. Every call has a time-out and its process
group ends with it.
"""
