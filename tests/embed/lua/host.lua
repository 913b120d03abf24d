-- SPDX-License-Identifier: MIT
-- The server beside luv's loop: luajit host.lua MODE, or in nvim by luafile with
-- the mode in $MODE. The folder of teller_embed.so is in $MODULES.
--
-- serve: all the clients, a stop; quit: the host ends while the server is alive
-- and connections are open on it, quit_unclosed: without lua_close(); leave: nvim
-- asks for a stop before it quits, as a plugin should.
local CLIENTS, SIZE = 200, 40000
local in_nvim = vim ~= nil
local mode = in_nvim and os.getenv('MODE') or arg[1]

package.cpath = os.getenv('MODULES') .. '/?.so;' .. package.cpath
local uv
if in_nvim then
  uv = vim.loop
else
  -- '*': its functions, and libuv's, are to be found by the next module.
  assert(package.loadlib(assert(package.searchpath('luv', package.cpath)), '*'))
  uv = require('luv')
end
local teller = require('teller_embed')

local failure, finished
local function check(ok, message)
  if not ok and not failure then
    failure = message or 'failed'
    print(failure .. '\n' .. debug.traceback())
  end
  return ok
end

-- One client: sends, half-closes, and gets every byte back before the end.
local function client(port, done)
  local sent, got = uv.random(SIZE), {}
  local socket = uv.new_tcp()
  socket:connect('127.0.0.1', port, function(err)
    check(not err, err)
    socket:write(sent)
    socket:shutdown()
    socket:read_start(function(err, chunk)
      check(not err, err)
      if chunk then
        got[#got + 1] = chunk
      else
        check(table.concat(got) == sent, 'not the bytes that were sent')
        socket:close()
        done()
      end
    end)
  end)
end

local function serve()
  local ticks, told, left = 0, 0, CLIENTS
  local timer = uv.new_timer()
  timer:start(1, 1, function() ticks = ticks + 1 end)
  local server
  server = teller.start(2, function(event, value)
    if event == 'listening' then
      for _ = 1, CLIENTS do
        client(value, function()
          left = left - 1
          if left == 0 then
            server:stop(10000)
          end
        end)
      end
    elseif event == 'stats' then
      told = told + 1
    else
      timer:close()
      check(value.accepted == CLIENTS and value.open == 0, 'not all served')
      check(value.bytes_in == CLIENTS * SIZE, 'bytes in')
      check(value.bytes_out == CLIENTS * SIZE, 'bytes out')
      check(told > 1 and ticks > 1, 'no stats, or no ticks')
      check(server:stats() == nil, 'it is not gone')
      if not failure then
        print(CLIENTS .. ' connections x ' .. SIZE .. ' bytes verified, ' ..
          told .. ' stats, ' .. ticks .. ' ticks of the host\'s own, stopped')
      end
      finished = true
    end
  end)
  check(server:stats().open == 0)
end

-- Bytes go to and fro until the end.
local function quit()
  local answered = 0
  SERVER = teller.start(2, function(event, port)
    check(event == 'listening')
    for _ = 1, 20 do
      local socket = uv.new_tcp()
      local first = true
      socket:connect('127.0.0.1', port, function(err)
        check(not err, err)
        socket:write(uv.random(SIZE))
        socket:read_start(function(err, chunk)
          if err or not chunk then
            return
          end
          if first then
            first = false
            answered = answered + 1
            finished = answered == 20
          end
          socket:write(chunk)
        end)
      end)
    end
  end)
end

if mode == 'serve' then
  serve()
else
  quit()
end
if mode == 'leave' then
  vim.api.nvim_create_autocmd('VimLeavePre', {
    callback = function() SERVER:wait() end,
  })
end
if in_nvim then
  check(vim.wait(30000, function() return finished or failure end, 1))
  vim.cmd(failure and 'cquit' or 'qa!')
elseif mode == 'serve' then
  uv.run() -- returns when nothing is left
  os.exit(check(finished) and not failure and 0 or 1, true)
else
  while not finished and not failure do
    uv.run('once')
  end
  -- Without true no lua_close() is called.
  os.exit(failure and 1 or 0, mode == 'quit')
end
