import { Args } from '../src/resp/args.ts';
import { RequestReader } from '../src/resp/request-reader.ts';
import { InProcess } from '../test/unit/commands/in-process.ts';
const N=262144;
const server = new InProcess({ journalled: false, arenaBytes: 4 * 2 ** 30, shards: 1 });
const { dispatcher, executor, reply, session } = server.parts();
const args=new Args(); const reader = new RequestReader();
let seed=1; const random=()=>(seed=(Math.imul(seed,1664525)+1013904223)>>>0);
function frames(set:boolean,count:number,key:()=>number){const p:string[]=[];for(let i=0;i<count;i++){const n=`key:${String(key()).padStart(12,'0')}`;p.push(set?`*3\r\n$3\r\nSET\r\n$16\r\n${n}\r\n$8\r\nxxxxxxxx\r\n`:`*2\r\n$3\r\nGET\r\n$16\r\n${n}\r\n`);}return Buffer.from(p.join(''),'latin1');}
function run(buf:Buffer){ const b=performance.now(); let pos=0;let inb=0; while(pos<buf.length){pos=reader.read(buf,pos,buf.length,args); dispatcher.dispatch(session,args); if(++inb>=64){inb=0;executor.clearTouched();reply.rewind(0);}} return (performance.now()-b)*1e6/N;}
run(frames(true,1000,(()=>{let i=0;return ()=>i++})()));
const g=frames(false,N,()=>random()%1000), s=frames(true,N,()=>random()%1000);
const a:number[]=[],b:number[]=[];
for(let i=0;i<40;i++){a.push(run(g));b.push(run(s));}
a.sort((x,y)=>x-y);b.sort((x,y)=>x-y);
console.log('GET hot',a[20].toFixed(0),'min',a[0].toFixed(0),'SET hot',b[20].toFixed(0),'min',b[0].toFixed(0));
