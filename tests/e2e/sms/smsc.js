// SPDX-License-Identifier: Apache-2.0
// An SMSC by other hands than ours (npm package smpp): tells what it hears and says what it is told to, a JSON object per line.
// Commands: {"throttle": n} {"refuse": n, "status": s} {"silent": n} {"receipts": "dec" | "hex" | "early" | ""} {"unbind": true}
'use strict';
const readline = require('readline');
const smpp = require('smpp');

const password = process.env.SMSC_PASSWORD;
const port = Number(process.argv[2] || 0);
const orders = { throttle: 0, refuse: 0, status: 0, silent: 0, receipts: '' };
const sessions = new Set();
let ids = 0xA0FF; // its decimal is no other's hexadecimal

const tell = (event, more) => console.log(JSON.stringify({ event, ...more }));

// Real SMSCs write the same number in another form there.
const spelled = (id, form) => (form === 'dec' ? String(id).padStart(10, '0') : id.toString(16).toLowerCase().padStart(10, '0'));

function receipt(session, pdu, id) {
	const named = spelled(id, orders.receipts === 'dec' ? 'dec' : 'hex');
	const text = 'id:' + named + ' sub:001 dlvrd:001 submit date:2601150930 done date:2601150930 stat:DELIVRD err:000 text:';
	session.deliver_sm({ source_addr: pdu.destination_addr, destination_addr: pdu.source_addr, esm_class: 0x04,
		short_message: { message: Buffer.from(text) } },
		(answer) => tell('receipt_answered', { id: named, status: answer.command_status }));
}

// The package takes the user data header apart; here it is one piece again.
function user_data(sm) {
	const elements = Buffer.concat(sm.udh || []);
	return Buffer.concat([Buffer.from([elements.length]), elements, Buffer.from(sm.message)]);
}

function submit(session, pdu) {
	const told = { to: pdu.destination_addr, from: pdu.source_addr, esm_class: pdu.esm_class, pid: pdu.protocol_id, dcs: pdu.data_coding,
		registered: pdu.registered_delivery, data: user_data(pdu.short_message).toString('hex'), status: 0 };
	if (orders.silent > 0) {
		orders.silent--;
		tell('submit', { ...told, status: -1 });
		return;
	}
	if (orders.throttle > 0) {
		orders.throttle--;
		told.status = smpp.ESME_RTHROTTLED;
	} else if (orders.refuse > 0) {
		orders.refuse--;
		told.status = orders.status;
	}
	if (told.status) {
		tell('submit', told);
		session.send(pdu.response({ command_status: told.status }));
		return;
	}
	const id = ++ids;
	tell('submit', { ...told, id: id.toString(16).toUpperCase() });
	if (orders.receipts === 'early')
		receipt(session, pdu, id);
	session.send(pdu.response({ message_id: id.toString(16).toUpperCase() }));
	if (orders.receipts && orders.receipts !== 'early')
		receipt(session, pdu, id);
}

const server = smpp.createServer((session) => {
	session.on('bind_transceiver', (pdu) => {
		const good = pdu.password === password;
		tell('bind', { system_id: pdu.system_id, good });
		session.send(pdu.response(good ? {} : { command_status: smpp.ESME_RBINDFAIL }));
		if (good)
			sessions.add(session);
	});
	session.on('submit_sm', (pdu) => submit(session, pdu));
	session.on('enquire_link', (pdu) => { tell('enquire', {}); session.send(pdu.response()); });
	session.on('unbind', (pdu) => { tell('unbind', {}); session.send(pdu.response()); session.close(); });
	session.on('close', () => { sessions.delete(session); tell('closed', {}); });
	session.on('error', (e) => tell('error', { text: String(e) }));
});
server.listen(port, '127.0.0.1', () => tell('listening', { port: server.address().port }));

readline.createInterface({ input: process.stdin }).on('line', (line) => {
	const order = JSON.parse(line);
	if (order.unbind)
		sessions.forEach((s) => s.unbind(() => s.close()));
	else
		Object.assign(orders, order);
	tell('done', {});
}).on('close', () => process.exit(0));
